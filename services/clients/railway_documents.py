"""The GraphQL documents that are sent to Railway; a test validates each against Railway's published schema."""

from __future__ import annotations

_DEPLOYMENT = """
  id status createdAt statusUpdatedAt url staticUrl serviceId environmentId
  canRedeploy canRollback deploymentStopped meta instances { id status }
"""

SCOPE = """
query TokenScope {
  projectToken { projectId environmentId project { id name } environment { id name } }
}"""

SERVICES = """
query Services($environmentId: String!, $projectId: String, $after: String) {
  environment(id: $environmentId, projectId: $projectId) {
    id
    serviceInstances(first: 50, after: $after) {
      edges { node {
        serviceId serviceName region numReplicas startCommand
        healthcheckPath healthcheckTimeout restartPolicyType restartPolicyMaxRetries
      } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""

DEPLOYMENTS = (
    """
query Deployments($input: DeploymentListInput!, $first: Int) {
  deployments(input: $input, first: $first) { edges { node {"""
    + _DEPLOYMENT
    + "} } } }"
)

DEPLOYMENT = "query Deployment($id: String!) { deployment(id: $id) {" + _DEPLOYMENT + "diagnosis } }"

EVENTS = """
query DeploymentEvents($id: String!, $first: Int) {
  deploymentEvents(id: $id, first: $first) { edges { node {
    id step createdAt completedAt payload { error reason detail attempt maxAttempts durationMs skipped }
  } } }
}"""

BUILD_LOGS = """
query BuildLogs($deploymentId: String!, $limit: Int, $filter: String) {
  buildLogs(deploymentId: $deploymentId, limit: $limit, filter: $filter) { timestamp severity message }
}"""

DEPLOYMENT_LOGS = """
query DeploymentLogs($deploymentId: String!, $limit: Int, $filter: String) {
  deploymentLogs(deploymentId: $deploymentId, limit: $limit, filter: $filter) { timestamp severity message }
}"""

HTTP_LOGS = """
query HttpLogs($deploymentId: String!, $filter: String, $limit: Int) {
  httpLogs(deploymentId: $deploymentId, filter: $filter, limit: $limit) {
    timestamp requestId method path httpStatus totalDuration upstreamRqDuration responseDetails
  }
}"""

HTTP_STATUSES = """
query HttpStatuses($serviceId: String!, $environmentId: String!, $startDate: DateTime!, $endDate: DateTime!) {
  httpMetricsGroupedByStatus(
    serviceId: $serviceId, environmentId: $environmentId, startDate: $startDate, endDate: $endDate
  ) { statusCode samples { ts value } }
}"""

HTTP_DURATIONS = """
query HttpDurations(
  $serviceId: String!, $environmentId: String!, $startDate: DateTime!, $endDate: DateTime!, $stepSeconds: Int
) {
  httpDurationMetrics(
    serviceId: $serviceId, environmentId: $environmentId, startDate: $startDate, endDate: $endDate
    stepSeconds: $stepSeconds
  ) { samples { ts p50 p90 p95 p99 } }
}"""

# The nodes have no field for the value: names can be read without ever receiving a secret.
VARIABLE_NAMES = """
query VariableNames($environmentId: String!, $projectId: String, $after: String) {
  environment(id: $environmentId, projectId: $projectId) {
    id
    variables(first: 100, after: $after) {
      edges { node { name serviceId isSealed } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""

# This one returns values: only the keys of its answer may ever be read.
VARIABLES = """
query VariablesWithValues($projectId: String!, $environmentId: String!, $serviceId: String) {
  variables(projectId: $projectId, environmentId: $environmentId, serviceId: $serviceId, unrendered: true)
}"""

PLATFORM_STATUS = """
query PlatformStatus {
  platformStatus { isStable incident { message status url } maintenance { message status url } }
}"""

RESTART = "mutation Restart($id: String!) { deploymentRestart(id: $id) }"
REDEPLOY = "mutation Redeploy($id: String!) { deploymentRedeploy(id: $id) { id status } }"
ROLLBACK = "mutation Rollback($id: String!) { deploymentRollback(id: $id) }"
DEPLOY_COMMIT = """
mutation DeployCommit($environmentId: String!, $serviceId: String!, $commitSha: String) {
  serviceInstanceDeployV2(environmentId: $environmentId, serviceId: $serviceId, commitSha: $commitSha)
}"""

ALL = {
    "scope": SCOPE,
    "services": SERVICES,
    "deployments": DEPLOYMENTS,
    "deployment": DEPLOYMENT,
    "events": EVENTS,
    "build_logs": BUILD_LOGS,
    "deployment_logs": DEPLOYMENT_LOGS,
    "http_logs": HTTP_LOGS,
    "http_statuses": HTTP_STATUSES,
    "http_durations": HTTP_DURATIONS,
    "variable_names": VARIABLE_NAMES,
    "variables": VARIABLES,
    "platform_status": PLATFORM_STATUS,
    "restart": RESTART,
    "redeploy": REDEPLOY,
    "rollback": ROLLBACK,
    "deploy_commit": DEPLOY_COMMIT,
}

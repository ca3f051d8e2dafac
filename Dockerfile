# The dashboard and its worker, to be run away from the provider that they watch: docs/running-elsewhere.md.
# The sandbox is made for a developer's machine (make run), so npm and PostgREST are not in here.
FROM python:3.11-slim AS packages
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/ops \
 && /opt/ops/bin/pip install --no-cache-dir --disable-pip-version-check --no-input -r /tmp/requirements.txt

FROM python:3.11-slim
RUN groupadd --gid 10001 ops \
 && useradd --uid 10001 --gid ops --no-create-home --home-dir /var/lib/ops --shell /usr/sbin/nologin ops \
 && install -d -o ops -g ops -m 0700 /var/lib/ops /scratch
COPY --from=packages /opt/ops /opt/ops
WORKDIR /app
COPY .streamlit/config.toml /app/.streamlit/config.toml
COPY services /app/services
COPY apps /app/apps
COPY dashboard /app/dashboard
COPY pages /app/pages
COPY deploy/healthcheck.py /app/deploy/healthcheck.py
# Compiled here, since nothing can be written below /app when it runs.
RUN /opt/ops/bin/python -m compileall -q /app
ENV PATH=/opt/ops/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/var/lib/ops \
    OPS_HOME=/var/lib/ops \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME ["/var/lib/ops"]
EXPOSE 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["python", "deploy/healthcheck.py"]
# In exec form, so that the signal to stop reaches the process itself.
ENTRYPOINT ["python", "-m", "dashboard"]
CMD ["worker"]

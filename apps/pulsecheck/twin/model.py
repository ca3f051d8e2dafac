"""The model that the beta build asks for answers; on the sandbox's OpenAI it has no end."""

MODEL = "gpt-6-luna"

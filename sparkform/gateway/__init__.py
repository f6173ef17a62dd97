"""One address for all services: routes, answers in OpenAI's form, and HAProxy's files. Pure."""

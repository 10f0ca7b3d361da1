# One image for every role of the stack: replica (the default), dashboard, alerter, index, simulated provider, load.
FROM python:3.12-slim AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
# Dependencies first: they change less often than the code, so their layer stays cached.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY docs ./docs
RUN mkdir ha_rag && touch ha_rag/__init__.py \
    && /venv/bin/pip install --constraint constraints.txt ".[all]" \
    && /venv/bin/pip uninstall --yes ha-rag
COPY ha_rag ./ha_rag
RUN /venv/bin/pip install --no-deps . \
    # Nothing will be installed into the finished image.
    && /venv/bin/pip uninstall --yes pip

FROM python:3.12-slim
LABEL org.opencontainers.image.title="ha_rag" \
      org.opencontainers.image.description="Answers questions over your documents, and keeps answering when the services behind it fail." \
      org.opencontainers.image.licenses="MIT"
RUN useradd --create-home --uid 10001 ha_rag && mkdir /data && chown ha_rag /data
COPY --from=build /venv /venv
COPY workers /app/workers
COPY compose/entrypoint.sh /app/entrypoint.sh
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HA_RAG_LOG=json
USER ha_rag
# The index is in .ha_rag below this folder, on a volume.
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=2s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=1)"]
# On SIGTERM a replica finishes the requests in progress.
STOPSIGNAL SIGTERM
# Accepts the commands of ha-rag: docker run -it ha-rag learn
ENTRYPOINT ["sh", "/app/entrypoint.sh"]
CMD ["python", "-m", "workers.replica", "--host", "0.0.0.0", "--port", "8000"]

# The service in one image; `inventory-api serve | migrate` are its commands.
ARG PYTHON=3.14

FROM python:${PYTHON}-slim AS build
RUN python3 -m venv /build && python3 -m venv /opt/inventory-api
COPY requirements/build.txt requirements/runtime.txt /requirements/
RUN /build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements/build.txt
RUN /opt/inventory-api/bin/pip install --no-cache-dir --disable-pip-version-check --no-compile --require-hashes -r /requirements/runtime.txt
COPY pyproject.toml README.md /source/
COPY service /source/service
# The project itself without dependencies, so that nothing comes in unpinned; then pip leaves, which nothing runs.
RUN /build/bin/pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /wheels /source \
 && /opt/inventory-api/bin/pip install --no-cache-dir --disable-pip-version-check --no-compile --no-deps --no-index /wheels/*.whl \
 && /opt/inventory-api/bin/pip uninstall --yes --quiet pip \
 && /opt/inventory-api/bin/python -m compileall -q -j 0 /opt/inventory-api/lib

FROM python:${PYTHON}-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libmagic1t64 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/dpkg.log /var/log/apt
COPY --from=build /opt/inventory-api /opt/inventory-api
# The wheel and the library that it looks for at run time fit together.
RUN ["/opt/inventory-api/bin/python", "-c", "import magic; assert magic.from_buffer(b'%PDF-1.7', mime=True) == 'application/pdf'"]

ARG VERSION=0.1.0
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="inventory-api" \
      org.opencontainers.image.description="Inventory, orders and attachments over HTTP, ready for Kubernetes" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
ENV PATH=/opt/inventory-api/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    INVENTORY_COMMIT=${COMMIT}
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000 9000
ENTRYPOINT ["inventory-api"]
CMD ["serve"]

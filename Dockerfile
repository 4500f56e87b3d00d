# syntax=docker/dockerfile:1
# EXTRAS is a list with commas. providers: a container serves teams, whose models are of many makers; without it the
# image is 230 MB smaller. otel: spans and metrics for a collector. postgres: the ledger of several machines. With GGUF models on this machine: --build-arg EXTRAS=local (builds llama.cpp, some minutes)
ARG EXTRAS=providers
# An exact tag; a digest is stricter and for one's own registry.
FROM python:3.11.14-slim-bookworm AS build
ARG EXTRAS
# For x86-64 processors with AVX2 (docs/edge.md has the others); arm64 ignores the AVX flags. The Makefile has the same list.
ENV CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAVA_BUILD=OFF"
RUN case ",$EXTRAS," in *,local,*) \
        apt-get update -qq && apt-get install -y -qq --no-install-recommends g++ && rm -rf /var/lib/apt/lists/* ;; \
    esac
WORKDIR /src
# Before the sources, so that a change of ours installs nothing anew. Every file is checked against its hash (`make lock`).
COPY requirements requirements
RUN python -m venv /opt/moos && python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && for each in base $(echo "$EXTRAS" | tr ',' ' '); do \
        /opt/moos/bin/pip install --no-cache-dir --require-hashes -r "requirements/$each.txt" || exit 1; \
    done
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY moosproxy moosproxy
COPY proxy proxy
COPY compressor compressor
COPY policies policies
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation -w /wheels . \
    && /opt/moos/bin/pip install --no-cache-dir --no-deps /wheels/*.whl && /opt/moos/bin/pip check

FROM python:3.11.14-slim-bookworm
ARG EXTRAS
# llama.cpp's threads
RUN case ",$EXTRAS," in *,local,*) \
        apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* ;; \
    esac
# /var/lib/moos: what is measured once and kept
RUN useradd --create-home --uid 10001 moos && install -d -o moos /var/lib/moos
COPY --from=build /opt/moos /opt/moos
ENV PATH=/opt/moos/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MOOS_HOST=0.0.0.0 \
    MOOS_PORT=8686 \
    MOOS_STATE_DIR=/var/lib/moos
USER moos
EXPOSE 8686
# Healthy once the checkpoint is loaded and the policies are good.
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8686/readyz', timeout=2)"]
ENTRYPOINT ["moos"]
CMD ["serve"]

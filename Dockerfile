# One image for the web, the workers and the scheduler. `--build-arg TORCH_INDEX=https://pypi.org/simple` brings CUDA.
FROM python:3.11-slim-bookworm

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --uid 10001 --create-home touchstone && install -d -o touchstone -g touchstone /data
WORKDIR /app

COPY requirements.txt requirements-server.txt requirements-models.txt ./
RUN pip install -r requirements-server.txt
RUN PIP_EXTRA_INDEX_URL=$TORCH_INDEX pip install -r requirements-models.txt

COPY . .
RUN python -m compileall -q annotate curation workers

USER touchstone
ENV TOUCHSTONE_VAR=/data HF_HOME=/data/huggingface PORT=8000 HOST=0.0.0.0
VOLUME /data
EXPOSE 8000

# Alone it is a whole installation over SQLite; docker-compose.yml gives each part a container of its own.
CMD ["python", "manage.py", "up"]
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s CMD ["python", "manage.py", "healthy", "web"]

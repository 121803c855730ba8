"""gunicorn's settings for this server, taken from the installation's own: `gunicorn wsgi:application`."""

from espi_server.settings import Settings

_settings = Settings.load()

worker_class = "gthread"  # feeds stream from threads; small requests keep some
workers = _settings.workers
threads = _settings.threads
timeout = 120
graceful_timeout = 30
keepalive = 15
forwarded_allow_ips = "127.0.0.1"

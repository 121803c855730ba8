"""For WSGI servers that want a module: `gunicorn wsgi:application`."""

from espi_server.app import create_app

application = create_app()

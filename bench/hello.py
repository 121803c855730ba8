"""The least a Flask application can do, to compare small answers with."""

from flask import Flask

application = Flask("hello")


@application.get("/hello")
def hello() -> str:
    """Hello."""
    return "hello"

"""A site of Django's, and somebody's browser at the provider. What the test knows comes on standard input."""

import json
import sys

import django
import requests
from django.conf import settings
from django.core.management import call_command

given = json.load(sys.stdin)
issuer = given["issuer"]
HOST = "paperless-ngx.example.com"


def configure(apps, middleware=(), **own):
    """The site, with its tables in memory; the addresses are those of the script that runs."""
    settings.configure(
        SECRET_KEY="a key of this test alone",
        ALLOWED_HOSTS=[HOST],
        ROOT_URLCONF="__main__",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            *apps,
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            *middleware,
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        **own,
    )
    django.setup()
    call_command("migrate", verbosity=0)


class Site:
    """The application as a browser sees it, without a port."""

    def __init__(self):
        from django.test import Client

        self.client = Client(headers={"host": HOST})

    def ask(self, method, url):
        return getattr(self.client, method)(url.removeprefix(f"https://{HOST}"), secure=True)

    def goes_to(self, method, url):
        answer = self.ask(method, url)
        assert answer.status_code == 302, (answer.status_code, answer.content)
        return answer.headers["Location"]

    def user(self):
        from django.contrib.auth import get_user

        request = type("Request", (), {"session": self.client.session})
        return get_user(request)


class Browser:
    """Somebody who is signed in at the provider."""

    def __init__(self):
        self.session = requests.Session()
        form = {"username": given["username"], "password": given["password"]}
        answer = self.post("/login", form)
        assert answer.status_code == 303, answer.text

    def post(self, path, form):
        return self.session.post(issuer + path, data=form, headers={"Origin": issuer}, allow_redirects=False)

    def back(self, way):
        """Where the provider sends the browser to."""
        answer = self.session.get(way, allow_redirects=False)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def is_signed_in(self):
        return self.session.get(issuer + "/api/session").status_code == 200

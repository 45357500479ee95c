import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "distillery_site.settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402

from distillery_site import celery  # noqa: E402, F401  (views send tasks through this app)

application = get_wsgi_application()

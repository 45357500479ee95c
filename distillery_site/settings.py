"""Every setting of the site; each environment value is read here and nowhere else."""

import secrets
import tomllib
from pathlib import Path

import dj_database_url
from csp.constants import NONCE, SELF

from distillery_site import local
from distillery_site.common import env

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
VAR = env.path("DISTILLERY_VAR", BASE_DIR / "var")
MODELS_ROOT = env.path("DISTILLERY_MODELS", VAR / "models")
BASES_ROOT = env.path("DISTILLERY_BASES", VAR / "bases")

DEBUG = env.flag("DISTILLERY_DEBUG", False)
SECRET_KEY = env.secret("SECRET_KEY") or local.kept_secret(VAR / "secret_key", lambda: secrets.token_urlsafe(50))
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
WEB_PORT = env.integer("PORT", 8000)
WEB_HOST = env.text("HOST", "127.0.0.1")

DATABASE_URL = env.text("DATABASE_URL") or local.database_url(VAR)
REDIS_URL = env.text("REDIS_URL") or local.redis_url(VAR)
EMBEDDED_POSTGRES = not env.text("DATABASE_URL")
EMBEDDED_VALKEY = not env.text("REDIS_URL")
SERVICE_USER = env.text("DISTILLERY_SERVICE_USER", "nobody")  # as whom root runs them

INSTALLED_APPS = [
    "distillery_site.apps.RawRowsConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "axes",
    "distillery_site",
    "distillery_site.common",
    "labeling",
    "training",
    "scoring",
]

MIDDLEWARE = [
    "distillery_site.timing.ServerTimingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "distillery_site.permissions.DefaultDenyMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "distillery_site.urls"
WSGI_APPLICATION = "distillery_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "distillery_site.context.site",
            ],
        },
    }
]

DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "site"}}

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "distillery_site.permissions.RoleBackend",
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # so that the page can say until when
AXES_LOCKOUT_CALLABLE = "distillery_site.people.passwords.locked"
CSRF_FAILURE_VIEW = "distillery_site.views.csrf_failure"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
PASSWORD_RESET_TIMEOUT = 24 * 3600
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"

SECURE_COOKIES = env.flag("SECURE_COOKIES", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = f"distillery_{local.checkout_id(VAR)}"  # two checkouts on one host keep apart
CSRF_COOKIE_NAME = f"csrf_{local.checkout_id(VAR)}"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:"],
        "frame-ancestors": ["'none'"],
        "form-action": [SELF],
        "base-uri": [SELF],
    }
}

# Letters to people: a new password, an invitation. Without a host none are sent, and links are handed over by hand.
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_PORT = env.integer("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.text("EMAIL_USER")
EMAIL_HOST_PASSWORD = env.secret("EMAIL_PASSWORD")
EMAIL_SECURITY = env.choice("EMAIL_SECURITY", ("starttls", "tls", "none"))
EMAIL_USE_TLS, EMAIL_USE_SSL = EMAIL_SECURITY == "starttls", EMAIL_SECURITY == "tls"
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", EMAIL_HOST_USER or "distillery@localhost")

LANGUAGE_CODE = "en-gb"
TIME_ZONE = env.text("TIME_ZONE", "UTC")
USE_I18N = False
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# One request can carry 64 articles of 200,000 characters at most; larger bodies get a 413 sentence.
SCORE_MAX_ARTICLES = env.integer("SCORE_MAX_ARTICLES", 64)
SCORE_MAX_CHARACTERS = env.integer("SCORE_MAX_CHARACTERS", 200_000)
DATA_UPLOAD_MAX_MEMORY_SIZE = env.integer("MAX_BODY_BYTES", 16 * 1024 * 1024)
DATA_UPLOAD_MAX_NUMBER_FIELDS = 4000  # the rubric editor: 40 dimensions with all their anchors

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "scoring.auth.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "scoring.api.errors",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Distillery",
    "DESCRIPTION": "Scores articles with the students distilled here.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
}

TRAINING_GPUS = env.integer("TRAINING_GPUS", 0)  # how many GPUs a training takes; 0: all that are seen

# The scoring process: its own address and a secret shared with those who may ask it.
ENGINE_URL = env.text("ENGINE_URL") or local.engine_url(VAR)
EMBEDDED_ENGINE = not env.text("ENGINE_URL")
ENGINE_BIND = env.text("ENGINE_BIND", "127.0.0.1")  # where it listens; others ask it at ENGINE_URL
ENGINE_TOKEN = env.secret("ENGINE_TOKEN") or local.kept_secret(VAR / "engine_token", lambda: secrets.token_urlsafe(32))
ENGINE_TIMEOUT = env.number("ENGINE_TIMEOUT", 60.0)
ENGINE_WHILE_TRAINING = env.choice("ENGINE_WHILE_TRAINING", ("shrink", "cpu", "ignore"))  # what scoring leaves to a training
ENGINE_GPU_SHARE = env.share("ENGINE_GPU_SHARE", 0.25)  # of the accelerator's memory, when it shrinks
HF_TOKEN = env.secret("HF_TOKEN")  # for base models that the hub hands out to known accounts only

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "unacked_restore_interval": 2, "unacked_restore_throttle": 1}
CELERY_TASK_DEFAULT_QUEUE = "default"

ANTHROPIC_API_KEY = env.secret("ANTHROPIC_API_KEY")
ANTHROPIC_BASE_URL = env.text("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
GEMINI_API_KEY = env.secret("GEMINI_API_KEY")
GEMINI_BASE_URL = env.text("GEMINI_BASE_URL", "https://generativelanguage.googleapis.com")
OPENAI_API_KEY = env.secret("OPENAI_API_KEY")
OPENAI_BASE_URL = env.text("OPENAI_BASE_URL", "https://api.openai.com/v1")
ORACLE_LIMITS = env.words("ORACLE_LIMITS")  # provider/model=requests/input tokens/output tokens a minute; else learned
ORACLE_CONCURRENCY = env.integer("ORACLE_CONCURRENCY", 0)  # questions out at once in one worker; 0: the provider's own
ORACLE_TIMEOUT = env.number("ORACLE_TIMEOUT", 120.0)  # seconds for one answer
ORACLE_MONTHLY_CAP_USD = env.text("ORACLE_MONTHLY_CAP_USD")  # over all runs of a calendar month (UTC); empty: none
ORACLE_PRICES = env.words("ORACLE_PRICES")  # model=in/out[/batch in/batch out] in USD a million tokens; beats the list
OUTBOUND_ALLOW = env.words("OUTBOUND_ALLOW")  # hosts inside the own network that may be called

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {"httpx2": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
}

"""All settings. What differs between machines comes from the environment; docs/settings.md lists each name."""

import os
import secrets
from pathlib import Path

import dj_database_url

from curation.providers import providers_from

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = (BASE_DIR / "CHANGELOG.md").read_text().split("## ", 1)[1].split()[0]


def envbool(name: str, default: bool) -> bool:
    return os.environ.get(name, str(default)).lower() in ("1", "true", "yes", "on")


def envint(name: str, default: int) -> int:
    return int(os.environ.get(name) or default)


def envsecret(name: str, path: Path) -> str:
    """The secret from the environment, or one made once and kept in a file only its owner reads."""
    if value := os.environ.get(name):
        return value
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
    return path.read_text()


VAR_DIR = Path(os.environ.get("TOUCHSTONE_VAR", BASE_DIR / "var"))
"""Everything that is written: database, uploads, dataset versions, the embedded broker."""

DEBUG = envbool("DEBUG", False)
SECRET_KEY = envsecret("SECRET_KEY", VAR_DIR / "secret-key")
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("CSRF_TRUSTED_ORIGINS", "").split(",") if o]
SECURE = envbool("TOUCHSTONE_HTTPS", False)
"""Served over HTTPS: secure cookies, HSTS and the forwarded protocol header are then in force."""

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
    "curation",
    "annotate",
]

MIDDLEWARE = [
    "curation.views.heads.NoBodyForHead",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "curation.csp.ContentPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "curation.views.doors.Doors",
    "curation.views.problems.DomainErrorPages",
    "allauth.account.middleware.AccountMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "curation.urls"
WSGI_APPLICATION = "curation.wsgi.application"
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
                "curation.views.chrome.chrome",
            ],
        },
    },
]

# --- Database ---------------------------------------------------------------------------------------
# SQLite: WAL lets readers go on while one writes; IMMEDIATE takes the write lock at the start of a
# transaction, so that two writers queue (up to `timeout` seconds) instead of failing half-way; FULL puts each
# commit on the disk before it is acknowledged, for less than a millisecond.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536; "
    "PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY;",
}
DATABASES = {
    "default": dj_database_url.config(
        default=f"sqlite:///{VAR_DIR / 'touchstone.sqlite3'}",
        conn_max_age=None,  # type: ignore[arg-type]
        conn_health_checks=True,
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS  # type: ignore[typeddict-item]
    # A file, so that the threads of a live server meet the same locks as in earnest.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}  # type: ignore[typeddict-item]
else:
    # Only the statements of curation/statements.py are prepared (they ask for it; the threshold keeps the
    # ORM's out), because planning them anew each time would cost more than running them.
    DATABASES["default"]["OPTIONS"] = {  # type: ignore[typeddict-item]
        "options": "-c plan_cache_mode=force_generic_plan",
        "prepare_threshold": 2**31,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- People -----------------------------------------------------------------------------------------
AUTH_USER_MODEL = "curation.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "projects"
LOGOUT_REDIRECT_URL = "sign-in"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "people/locked.html"
AXES_VERBOSE = False
AXES_CLIENT_IP_CALLABLE = "curation.views.addresses.client_address"

# Of allauth: OpenID Connect and the second step. Its sign-up, e-mail and pages are not used (docs/decisions.md).
SIGN_IN_PROVIDERS = providers_from(os.environ)
SOCIALACCOUNT_ADAPTER = "curation.views.providers.Adapter"
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10
ACCOUNT_EMAIL_VERIFICATION = "none"
MFA_ADAPTER = "curation.services.two_factor.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_TOLERANCE = 1  # steps of 30 s to either side, for clocks that differ

CROWD_PER_HOUR = envint("TOUCHSTONE_CROWD_PER_HOUR", 30)
"""So many guests may begin from one network and crowd link in an hour."""

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if SECURE:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- API --------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "curation.api.auth.TokenAuthentication",
        "curation.api.auth.BrowserSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["curation.api.auth.SignedInWithScope"],
    "DEFAULT_RENDERER_CLASSES": ["curation.api.rendering.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "curation.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "curation.api.problems.as_problem",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Touchstone",
    "DESCRIPTION": "Preference curation and critique annotation: import, annotate, freeze, pull.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["curation.api.auth.SignedInWithScope"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {"ModelKind": "curation.models.ModelVersion.Kind"},
}

CONSUMERS = os.environ.get("TOUCHSTONE_CONSUMERS", "all")
"""Who reads a version before it is offered: `all` that are installed, or `light`, those that are our own code."""
CONSUMERS_STAY = envint("TOUCHSTONE_CONSUMERS_STAY", 600)
"""Seconds for which a worker keeps their packages loaded, in a process of their own, after it has made a version."""

TRAIN_LAUNCH = os.environ.get("TOUCHSTONE_TRAIN_LAUNCH", "")
"""What starts the process that trains instead of python, such as `accelerate launch --num_processes 4`."""

DATASET_SHARD_ROWS = envint("TOUCHSTONE_DATASET_SHARD_ROWS", 250_000)
"""A split of more rows is cut into files of so many."""

BENCHMARKS = os.environ.get("TOUCHSTONE_BENCHMARKS", "")
"""A folder with the files of benchmarks, each in a folder of its name; what is not there is taken from the Hub."""

WEBHOOK_ALLOW = [one for one in os.environ.get("TOUCHSTONE_WEBHOOK_ALLOW", "").split(",") if one]
"""Hosts, host:port and networks (CIDR) that webhooks may lead to besides the public internet."""

HUB_TOKEN = os.environ.get("TOUCHSTONE_HUB_TOKEN", "")
"""With which dataset versions are pushed to a Hub. It is never logged, shown or stored."""
HUB_ENDPOINTS = [one for one in os.environ.get("TOUCHSTONE_HUB_ENDPOINTS", "https://huggingface.co").split(",") if one]
"""Hubs that may be pushed to; the first one is meant where none is named."""

# --- Work -------------------------------------------------------------------------------------------
# The broker only wakes a worker; the Run and Shard rows are the truth (curation/services/running.py). So a message
# that is lost, late or delivered twice does no harm, and nothing here tries to keep one.
BROKER_DIR = VAR_DIR / "broker"
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "filesystem://localhost/")
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "data_folder_in": str(BROKER_DIR),
        "data_folder_out": str(BROKER_DIR),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.05,
    }
    if CELERY_BROKER_URL.startswith("filesystem")
    # Redis hands a message that nobody acknowledged to another worker after this long: longer than any import,
    # since the sweeper has found the run of a dead worker within seconds and a second delivery does nothing.
    else {"visibility_timeout": 12 * 3600, "socket_connect_timeout": 3, "socket_keepalive": True}
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "cpu"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # for ever: a broker that comes back finds its workers
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False  # work goes on without the broker
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")


def every(seconds: float, job: str) -> dict[str, object]:
    """A periodic job, whose message is void when the next one is due: none pile up while all workers are busy."""
    options = {"queue": "cpu", "expires": max(10.0, seconds)}
    return {"task": f"curation.jobs.{job}", "schedule": seconds, "options": options}


CELERY_BEAT_SCHEDULE = {
    "resume-lost-runs": every(5.0, "resume_lost_runs"),
    "start-due-schedules": every(30.0, "start_due_schedules"),
    "advance-plans": every(30.0, "advance_plans"),
    "return-expired-assignments": every(30.0, "return_expired_assignments"),
    "tidy": every(3600.0, "tidy"),
    "deliver-webhooks": every(10.0, "deliver_webhooks"),
}

# --- Limits a person may meet -----------------------------------------------------------------------
ASSIGNMENT_MINUTES = envint("TOUCHSTONE_ASSIGNMENT_MINUTES", 30)
"""How long a reserved task waits for its annotator before another may have it."""
RETURN_DAYS = envint("TOUCHSTONE_RETURN_DAYS", 7)
"""How long a returned answer waits for its annotator before anybody may have the task."""
RUN_LEASE_SECONDS = envint("TOUCHSTONE_RUN_LEASE_SECONDS", 15)
"""A run whose worker gave no sign of life for this long is taken up by another."""
SHARD_PAUSE_SECONDS = envint("TOUCHSTONE_SHARD_PAUSE_SECONDS", 5)
"""A shard that failed waits so long before it is tried again; twice as long the next time."""
IMPORT_LINE_MB = envint("TOUCHSTONE_IMPORT_LINE_MB", 8)
"""A longer line of an import is refused with its number; the lines around it still land."""
IMPORT_UPLOAD_MB = envint("TOUCHSTONE_IMPORT_UPLOAD_MB", 2048)
IMAGE_MB = envint("TOUCHSTONE_IMAGE_MB", 10)
"""A larger picture of an import is refused with its row."""
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 2**20

# --- Files, language, logging -----------------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MEDIA_ROOT = VAR_DIR / "media"
LANGUAGE_CODE = "en-gb"
USE_TZ = True
TIME_ZONE = "UTC"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "WARNING")},
    "filters": {"unexpected": {"()": "curation.hub.quiet.Unexpected"}},
    "loggers": {
        "touchstone": {"level": "INFO"},
        "axes": {"level": "ERROR"},
        "django.request": {"filters": ["unexpected"]},
    },
}

UNFOLD = {
    "SITE_TITLE": "Touchstone",
    "SITE_HEADER": "Touchstone",
    "SITE_URL": "/",
    "SITE_ICON": "curation.admin.site.icon",
    "SITE_FAVICONS": "curation.admin.site.favicons",
    "SIDEBAR": {"navigation": "curation.admin.site.navigation", "show_search": False},
    "SHOW_HISTORY": False,
    "THEME": None,
    "COLORS": {
        "primary": {
            "50": "240 253 250",
            "100": "204 251 241",
            "200": "153 246 228",
            "300": "94 234 212",
            "400": "45 212 191",
            "500": "20 184 166",
            "600": "13 148 136",
            "700": "15 118 110",
            "800": "17 94 89",
            "900": "19 78 74",
            "950": "4 47 46",
        }
    },
}

"""placeholder"""
import hashlib
from contextlib import contextmanager
def checkout_id(var): return hashlib.sha256(str(var).encode()).hexdigest()[:8]
def kept_secret(path, make): return "x"*60
def database_url(var): return "postgres://distillery@localhost:1/distillery"
def redis_url(var): return "redis://127.0.0.1:1/0"
def engine_url(var): return "http://127.0.0.1:1"
@contextmanager
def services_for(argv): yield

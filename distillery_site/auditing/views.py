"""The audit log: every change by a person, with before and after; to narrow, and to take away."""

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone

from distillery_site.auditing.entries import Narrowing, as_csv, as_json, changes, choices, what
from distillery_site.common.models import AuditEntry, record

PAGE = 50
WRITERS = {"csv": (as_csv, "text/csv; charset=utf-8"), "json": (as_json, "application/json")}


def audit(request: HttpRequest) -> HttpResponse:
    narrowing = Narrowing.of(request.GET)
    page = Paginator(narrowing.apply(AuditEntry.objects.all()), PAGE).get_page(request.GET.get("page"))
    lines = [(entry, *what(entry), changes(entry)) for entry in page]
    return render(request, "auditing/audit.html", {"page": page, "lines": lines, "narrowing": narrowing, **choices()})


def audit_export(request: HttpRequest, form: str) -> StreamingHttpResponse:
    """What the page shows, whole. That somebody took it is a line of the log too."""
    if form not in WRITERS:
        raise Http404
    narrowing, (write, kind) = Narrowing.of(request.GET), WRITERS[form]
    rows = narrowing.apply(AuditEntry.objects.all())
    rows = rows.filter(pk__lte=getattr(rows.first(), "pk", 0))
    record(request.user, "audit log exported", request.user, after={"form": form, **narrowing.as_dict()})  # type: ignore[arg-type]
    name = f"audit-{timezone.localdate():%Y-%m-%d}.{form}"
    return StreamingHttpResponse(
        write(rows), content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )

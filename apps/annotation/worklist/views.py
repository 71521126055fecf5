"""The worklist of masks."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from apps.accounts.access import has_permission, person, require
from apps.accounts.policy import Permission
from apps.annotation.double_reading.assigning import annotators_for
from apps.annotation.worklist.rows import WorklistFilter, chosen_rows, rows_of
from apps.imaging.models import Series

PAGE_SIZE = 50


@require_GET
@vary_on_headers("HX-Request")
def listing(request: HttpRequest) -> HttpResponse:
    """Show the CTs of the actor's centers and how far their masks are."""
    require(request.user, Permission.VIEW_MASK_WORK)
    actor = person(request.user)
    form = WorklistFilter(actor, request.GET)
    found = chosen_rows(actor, form.cleaned_data) if form.is_valid() else Series.objects.none()
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page_obj": page,
        "rows": rows_of(actor, list(page.object_list)),
        "annotators": annotators_for(actor) if has_permission(actor, Permission.ASSIGN_MASKS) else [],
        "can_view_agreement": has_permission(actor, Permission.VIEW_MASK_AGREEMENT),
    }
    htmx = getattr(request, "htmx", None)
    partial = htmx and not htmx.history_restore_request
    return render(request, f"annotation/{'partials/worklist_table' if partial else 'worklist'}.html", context)

"""What is filled in to invite people, to join, and to say who may do what."""

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator

from distillery_site.common.roles import ADMIN, LEAD, OPERATOR, REVIEWER, ROLES, VIEWER, read_roles
from distillery_site.people.granting import grantable
from labeling.models import Filter
from labeling.reviewing.access import filters_to_lead

WHAT = {
    VIEWER: "viewer: sees every filter, changes nothing",
    REVIEWER: "reviewer: scores articles of the filters below and sees nothing else",
    LEAD: "lead: runs the filters below: rubrics, queues, decisions, trainings",
    OPERATOR: "operator: every filter, and spends money",
    ADMIN: "admin: everything, and people",
}
DAYS = [("7", "a week"), ("1", "a day"), ("30", "30 days")]
FILTERS_HINT = "For reviewers and leads. The others need none ticked: they have them all."


class NamedFilters(forms.ModelMultipleChoiceField):
    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Filter) -> str:
        return obj.name or obj.slug


class InviteForm(forms.Form):
    """Only what the giver holds is there to choose from."""

    role = forms.ChoiceField()
    filters = NamedFilters(Filter.objects.none(), required=False, to_field_name="slug", help_text=FILTERS_HINT)
    days = forms.TypedChoiceField(choices=DAYS, coerce=int, label="Valid for")
    email = forms.EmailField(required=False, label="E-mail", help_text="Becomes the account's address. Optional.")

    def __init__(self, *args: Any, giver: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role, WHAT[role]) for role in grantable(giver)]  # type: ignore[attr-defined]
        self.fields["role"].initial = REVIEWER
        self.fields["filters"].queryset = filters_to_lead(giver)  # type: ignore[attr-defined]


class AccessForm(forms.Form):
    roles = forms.MultipleChoiceField(
        choices=[(role, WHAT[role]) for role in ROLES[1:]], widget=forms.CheckboxSelectMultiple, required=False
    )
    filters = NamedFilters(Filter.objects.all(), required=False, to_field_name="slug", help_text=FILTERS_HINT)
    is_open = forms.BooleanField(
        required=False, label="The account is open", help_text="A closed one can't sign in, and its keys stop working."
    )

    @classmethod
    def of(cls, person: Any, data: Any = None) -> "AccessForm":
        filters = person.filter_access.values_list("filter__slug", flat=True)
        told = {"roles": list(read_roles(person)), "filters": list(filters), "is_open": person.is_active}
        return cls(data, initial=told)


class JoinForm(forms.Form):
    username = UsernameField(
        max_length=150,
        validators=[UnicodeUsernameValidator()],
        label="Name",
        help_text="Letters, digits and @ . + - _",
    )
    password = forms.CharField(
        strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), help_text="At least ten characters."
    )
    again = forms.CharField(
        strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), label="The password again"
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        password = values.get("password", "")
        if password and values.get("again") and password != values["again"]:
            self.add_error("again", "The two passwords differ.")
        try:
            validate_password(password, get_user_model()(username=values.get("username", ""))) if password else None
        except forms.ValidationError as error:
            self.add_error("password", error)
        return values


class OwnKeyForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="Which program will use it, so that you know it again.")
    days = forms.TypedChoiceField(
        choices=[("90", "90 days"), ("365", "a year"), ("30", "30 days")], coerce=int, label="Valid for"
    )

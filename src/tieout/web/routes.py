"""Every address of the web face in one table: path, method, the act it takes, and the page.

What is not in this table does not exist. Tests walk it: every address, every role, every state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response

from tieout.core.policy import Act, Thing
from tieout.web.pages import (
    appearance,
    approvals,
    audit,
    calendar,
    configuration,
    connections,
    elsewhere,
    evidence,
    flows,
    helping,
    home,
    journals,
    mappings,
    people,
    records,
    rejects,
    replays,
    runs,
    settings,
    signing,
    tie_outs,
)
from tieout.web.view import View

Page = Callable[[View], Response]
ANYBODY = None  # the act of an address that is open without signing in


@dataclass(frozen=True, slots=True)
class Address:
    """One address; a page is an ordinary function, called in a thread of its own.

    `act` is what who asks must be allowed to do; the page is called only then. `loads` finds the
    thing that a part of the path names, so that its state and who prepared it count as well; it
    raises Misconfigured when there is none, which is answered as a page that is not there.
    """

    path: str
    method: str
    act: Act | None
    page: Page
    loads: Callable[[View], Thing] | None = None


def _asked(
    path: str, act: Act, ask: Page, carry_out: Page, loads: Callable[[View], Thing] | None = None
) -> tuple[Address, Address]:
    """An act with a page of its own: the page that asks, and the form that it sends."""
    return Address(path, "GET", act, ask, loads), Address(path, "POST", act, carry_out, loads)


ADDRESSES = (
    # Signing in, and what everybody has of their own
    Address("/login", "GET", ANYBODY, signing.sign_in_page),
    Address("/login", "POST", ANYBODY, signing.sign_in),
    Address("/login/elsewhere", "GET", ANYBODY, elsewhere.start),
    Address("/login/back", "GET", ANYBODY, elsewhere.back),
    Address("/sign-out", "POST", ANYBODY, signing.sign_out),
    Address("/setup", "GET", ANYBODY, signing.set_up_page),
    Address("/setup", "POST", ANYBODY, signing.set_up),
    Address("/password", "GET", "change own password", signing.password_page),
    Address("/password", "POST", "change own password", signing.change_password),
    Address("/appearance", "POST", ANYBODY, appearance.choose),
    Address("/me", "GET", "view", people.me),
    Address("/me/sessions/{session}/end", "POST", "end own session", people.end_own_session,
            people.own_session),
    Address("/me/tokens", "POST", "make own token", people.make_own_token),
    Address("/me/tokens/{token}/revoke", "POST", "revoke own token", people.revoke_own_token,
            people.own_token),
    # People, for who gives the roles and who looks at them
    Address("/settings/people", "GET", "read trail", people.everybody),
    Address("/settings/people", "POST", "manage people", people.invite),
    Address("/settings/people/review", "POST", "sign access review", people.review),
    Address("/settings/people/{user}", "GET", "read trail", people.person, people.named),
    Address("/settings/people/{user}/roles", "POST", "manage people", people.set_roles,
            people.named),
    Address("/settings/people/{user}/password", "POST", "manage people", people.set_password,
            people.named),
    Address("/settings/people/{user}/sessions/end", "POST", "manage people", people.end_sessions,
            people.named),
    Address("/settings/people/{user}/close", "POST", "manage people", people.close, people.named),
    Address("/settings/people/{user}/tokens/{token}/revoke", "POST", "manage people",
            people.revoke_token, people.token_of),
    # How it stands
    Address("/", "GET", "view", home.home),
    Address("/start", "GET", "view", home.start),
    Address("/runs", "GET", "view", runs.runs),
    Address("/runs/{run}", "GET", "view", runs.run, loads=runs.loaded),
    Address("/runs/{run}/live", "GET", "view", runs.live, loads=runs.loaded),
    Address("/runs/{run}/cancel", "GET", "view", runs.ask_cancel, loads=runs.loaded),
    Address("/runs/{run}/cancel", "POST", "run", runs.cancel, loads=runs.loaded),
    Address("/tie-outs", "GET", "view", tie_outs.tie_outs),
    Address("/tie-outs/{flow}", "GET", "view", tie_outs.tie_out, loads=tie_outs.loaded),
    Address("/tie-outs/{flow}/prepare", "POST", "prepare certification", tie_outs.prepare,
            loads=tie_outs.loaded),
    Address("/tie-outs/{flow}/certify", "POST", "certify", tie_outs.certify, loads=tie_outs.signed),
    Address("/journals", "GET", "view", journals.journals),
    Address("/journals/{journal}", "GET", "view", journals.journal, loads=journals.loaded),
    Address("/audit", "GET", "read trail", audit.audit),
    Address("/audit/{entry}", "GET", "read trail", audit.entry, loads=audit.loaded),
    Address("/audit/verify", "POST", "read trail", audit.verify),
    Address("/evidence", "GET", "hand out evidence", evidence.evidence),
    Address("/evidence", "POST", "hand out evidence", evidence.make),
    Address("/evidence/{pack}", "GET", "hand out evidence", evidence.pack,
            loads=evidence.loaded),
    Address("/help", "GET", "view", helping.help_page),
    Address("/records", "GET", "view", records.records),
    Address("/records/cell", "GET", "view", records.record),
    # The rejects desk
    Address("/rejects", "GET", "view", rejects.desk),
    *_asked("/rejects/assign", "settle rejects", rejects.ask_assign, rejects.assign),
    *_asked("/rejects/waive", "settle rejects", rejects.ask_waive, rejects.waive),
    *_asked("/rejects/reopen", "settle rejects", rejects.ask_reopen, rejects.reopen),
    Address("/rejects/{reject}", "GET", "view", rejects.reject, loads=rejects.loaded),
    Address("/replay/new", "GET", "run", replays.new),
    Address("/replay", "POST", "run", replays.look),
    Address("/replay/{run}", "GET", "view", replays.preview, loads=replays.loaded),
    Address("/replay/{run}", "POST", "run", replays.send, loads=replays.loaded),
    # Approvals
    Address("/approvals", "GET", "view", approvals.inbox),
    Address("/approvals/{batch}", "GET", "view", approvals.batch, loads=approvals.loaded),
    *_asked("/approvals/{batch}/approve", "approve",
            approvals.ask_approve, approvals.approve, approvals.undecided),
    *_asked("/approvals/{batch}/refuse", "decline",
            approvals.ask_refuse, approvals.refuse, approvals.undecided),
    *_asked("/approvals/{batch}/withdraw", "void",
            approvals.ask_withdraw, approvals.withdraw, approvals.loaded),
    *_asked("/journals/{journal}/release", "release",
            approvals.ask_release, approvals.release, journals.loaded),
    *_asked("/flows/{flow}/prepare", "prepare",
            approvals.ask_prepare, approvals.prepare, flows.plan),
    # Flows
    Address("/flows", "GET", "view", flows.flows),
    Address("/flows/{flow}", "GET", "view", flows.flow, loads=flows.loaded),
    *_asked("/flows/{flow}/run", "run", flows.ask_run, flows.run, flows.loaded),
    Address("/flows/{flow}/preview", "POST", "run", flows.preview, loads=flows.loaded),
    *_asked("/flows/{flow}/backfill", "run", flows.ask_backfill, flows.backfill, flows.periods),
    # Mappings
    Address("/mappings", "GET", "view", mappings.mappings),
    Address("/mappings/unmapped", "GET", "view", mappings.unmapped),
    Address("/mappings/code", "GET", "view", mappings.code),
    *_asked("/mappings/new", "map", mappings.ask_mapping, mappings.set_mapping),
    *_asked("/mappings/withdraw", "map", mappings.ask_withdraw, mappings.withdraw),
    Address("/mappings/table.csv", "GET", "view", mappings.table_as_csv),
    Address("/mappings/table.xlsx", "GET", "view", mappings.table_as_workbook),
    *_asked("/mappings/table", "map", mappings.ask_table, mappings.table),
    # Connections
    Address("/connections", "GET", "view", connections.connections),
    Address("/connections/test", "POST", "test connections", connections.test_all),
    Address("/connections/{connection}", "GET", "view", connections.connection,
            loads=connections.loaded),
    Address("/connections/{connection}/test", "POST", "test connections", connections.test,
            loads=connections.loaded),
    *_asked("/connections/{connection}/credentials", "set credentials",
            connections.ask_secrets, connections.keep_secrets, connections.loaded),
    Address("/connections/{connection}/catalogue", "GET", "view", connections.catalogue,
            loads=connections.loaded),
    Address("/connections/{connection}/catalogue", "POST", "test connections", connections.look,
            loads=connections.loaded),
    Address("/connections/{connection}/drift", "POST", "test connections", connections.drift,
            loads=connections.loaded),
    # Calendar and schedules
    Address("/calendar", "GET", "view", calendar.calendar),
    *_asked("/calendar/{schedule}/run", "run", calendar.ask_run, calendar.run, calendar.loaded),
    *_asked("/calendar/{schedule}/skip", "steer schedules", calendar.ask_skip, calendar.skip,
            calendar.loaded),
    *_asked("/calendar/{schedule}/pause", "steer schedules", calendar.ask_pause, calendar.pause,
            calendar.loaded),
    *_asked("/calendar/{schedule}/resume", "steer schedules", calendar.ask_resume,
            calendar.resume, calendar.loaded),
    *_asked("/calendar/{schedule}/answer", "steer schedules", calendar.ask_answer,
            calendar.answer, calendar.loaded),
    # Settings
    Address("/settings", "GET", "view", settings.settings),
    Address("/settings/configuration", "GET", "view", configuration.configuration),
    *_asked("/settings/configuration/edit", "configure",
            configuration.ask_edit, configuration.edit),
    Address("/settings/configuration/versions", "GET", "view", configuration.versions),
    Address("/settings/configuration/versions/{version}", "GET", "view", configuration.version,
            loads=configuration.version_loaded),
    Address("/settings/configuration/proposals/{proposal}", "GET", "view", configuration.proposal,
            loads=configuration.proposal_loaded),
    *_asked("/settings/configuration/proposals/{proposal}/approve", "approve configuration",
            configuration.ask_approve, configuration.approve, configuration.proposal_loaded),
    *_asked("/settings/configuration/proposals/{proposal}/decline", "approve configuration",
            configuration.ask_decline, configuration.decline, configuration.proposal_loaded),
    *_asked("/settings/configuration/proposals/{proposal}/take-back", "configure",
            configuration.ask_decline, configuration.decline, configuration.proposal_loaded),
    Address("/settings/notices", "GET", "view", settings.notices),
    Address("/settings/notices/{notice}/test", "POST", "test connections", settings.test_notice,
            loads=settings.notice_loaded),
    *_asked("/settings/notices/{notice}/address", "set credentials",
            settings.ask_address, settings.keep_address, settings.notice_loaded),
    Address("/settings/keys", "GET", "set credentials", settings.keys),
    *_asked("/settings/keys/rotate", "set credentials", settings.ask_rotate, settings.rotate),
    Address("/settings/retention", "GET", "view", settings.retention),
    *_asked("/settings/retention/purge", "purge records", settings.ask_purge, settings.purge),
    *_asked("/settings/retention/hold", "hold records", settings.ask_hold, settings.hold),
    *_asked("/settings/retention/holds/{hold}/release", "hold records",
            settings.ask_release, settings.release, settings.hold_loaded),
)  # fmt: skip

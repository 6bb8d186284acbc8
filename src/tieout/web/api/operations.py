"""Every operation of the API in one table; what is not in it does not exist."""

from __future__ import annotations

from tieout.web.api import around, commands, values, values_around
from tieout.web.api.operation import File, Operation

PREFIX = "/api/v1"
PACK = File("application/zip")

OPERATIONS = (
    Operation("/me", "GET", "view", commands.me, values.Me),
    # Flows and runs
    Operation("/flows", "GET", "view", commands.flows, values.FlowPage, query=values.Page),
    Operation("/runs", "GET", "view", commands.runs, values.RunPage, query=values.OfFlow),
    Operation("/runs", "POST", "run", commands.start, values.Run, body=values.RunFlow, status=202),
    Operation("/runs/{run}", "GET", "view", commands.run, values.Run, commands.run_named),
    Operation("/runs/{run}/cancel", "POST", "run", commands.cancel, values.Run,
              commands.run_named, body=values.Reason),
    Operation("/rejects", "GET", "view", commands.rejects, values.FindingPage,
              query=values.OfFlow),
    Operation("/tie-outs/{flow}", "GET", "view", commands.tie_out, values.TieOut,
              commands.flow_named),
    # What people decide over
    Operation("/approvals", "GET", "view", commands.approvals, values.BatchPage,
              query=values.Approvals),
    Operation("/approvals/{batch}", "GET", "view", commands.approval, values.Batch,
              commands.batch_seen),
    Operation("/approvals/{batch}/approve", "POST", "approve", commands.approve, values.Decided,
              commands.batch_named, body=values.Decide),
    Operation("/approvals/{batch}/decline", "POST", "decline", commands.decline, values.Decided,
              commands.batch_named, body=values.Decline),
    Operation("/approvals/{batch}/void", "POST", "void", commands.void, values.Batch,
              commands.batch_named, body=values.Reason),
    Operation("/journals", "GET", "view", commands.journals, values.JournalPage,
              query=values.Page),
    # Mappings
    Operation("/mappings", "GET", "view", around.mappings, values_around.MappingPage,
              query=values_around.OfDimension),
    Operation("/mappings", "POST", "map", around.set_mapping, values_around.MappingsSet,
              body=values_around.SetMapping),
    # Schedules
    Operation("/schedules", "GET", "view", around.schedules, values_around.SchedulePage,
              query=values.Page),
    Operation("/schedules/{schedule}", "GET", "view", around.schedule, values_around.Schedule,
              around.schedule_named),
    Operation("/schedules/{schedule}/run", "POST", "run", around.run_schedule, values_around.Ran,
              around.schedule_named, body=values.Reason, status=202),
    Operation("/schedules/{schedule}/skip", "POST", "steer schedules", around.skip_schedule,
              values_around.Schedule, around.schedule_named, body=values.Reason),
    Operation("/schedules/{schedule}/pause", "POST", "steer schedules", around.pause_schedule,
              values_around.Schedule, around.schedule_named, body=values_around.Pause),
    Operation("/schedules/{schedule}/resume", "POST", "steer schedules", around.resume_schedule,
              values_around.Schedule, around.schedule_named, body=values.Reason),
    # Connections
    Operation("/connections", "GET", "view", around.connections, values_around.ConnectionPage,
              query=values.Page),
    Operation("/connections/{connection}", "GET", "view", around.connection,
              values_around.Connection, around.connection_named),
    Operation("/connections/{connection}/test", "POST", "test connections",
              around.test_connection, values_around.Ladder, around.connection_named),
    # Evidence packs
    Operation("/packs", "GET", "hand out evidence", around.evidence_packs, values_around.PackPage,
              query=values.Page),
    Operation("/packs", "POST", "hand out evidence", around.make_pack, values_around.Pack,
              body=values_around.MakePack, status=201),
    Operation("/packs/{pack}", "GET", "hand out evidence", around.pack_file, PACK,
              around.pack_named),
    # Who, and what was done
    Operation("/users", "GET", "read trail", commands.users, values.UserPage, query=values.Page),
    Operation("/audit", "GET", "read trail", commands.trail, values.EntryPage,
              query=values.Page),
)  # fmt: skip

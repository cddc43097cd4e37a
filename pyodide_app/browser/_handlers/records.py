"""The repositories of the six tables."""

from pyodide_app.browser.call import Call

__all__ = [
    "conversations_append",
    "conversations_delete",
    "conversations_get",
    "conversations_list",
    "conversations_rename",
    "conversations_save",
    "conversations_search",
    "personas_cache",
    "personas_delete",
    "personas_get",
    "personas_list",
    "sessions_delete",
    "sessions_get",
    "sessions_list",
    "sessions_save",
    "telemetry_list",
    "telemetry_record",
    "telemetry_summary",
    "workflows_delete",
    "workflows_get",
    "workflows_list",
    "workflows_save",
]


async def conversations_save(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.conversations.save(
        given.text("id"),
        given.text("userId"),
        given.text("personaId"),
        given.objects("events"),
        metadata=given.object_or_none("metadata"),
        title=given.text_or_none("title"),
    )


async def conversations_get(call: Call) -> object:
    return await call.handle.storage.conversations.get(call.arguments.text("id"))


async def conversations_list(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.conversations.list(
        given.text_or_none("userId"),
        limit=given.integer("limit", 50),
        cursor=given.text_or_none("cursor"),
    )


async def conversations_append(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.conversations.append(
        given.text("id"), given.object("event")
    )


async def conversations_rename(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.conversations.rename(
        given.text("id"), given.text_or_none("title")
    )


async def conversations_delete(call: Call) -> object:
    return await call.handle.storage.conversations.delete(call.arguments.text("id"))


async def conversations_search(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.conversations.search(
        given.text("query"),
        user_id=given.text_or_none("userId"),
        limit=given.integer("limit", 20),
    )


async def sessions_save(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.sessions.save(
        given.text("id"),
        given.text("userId"),
        given.text("displayName"),
        given.choice("targetType", ("persona", "agency"), None),
        given.text("targetId"),
        given.object_or_none("metadata"),
    )


async def sessions_get(call: Call) -> object:
    return await call.handle.storage.sessions.get(call.arguments.text("id"))


async def sessions_list(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.sessions.list(
        given.text_or_none("userId"),
        limit=given.integer("limit", 50),
        cursor=given.text_or_none("cursor"),
        target_type=given.choice("targetType", ("persona", "agency", ""), "") or None,
    )


async def sessions_delete(call: Call) -> object:
    return await call.handle.storage.sessions.delete(call.arguments.text("id"))


async def personas_cache(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.personas.cache(
        given.text("id"), given.text("displayName"), given.object("definition")
    )


async def personas_get(call: Call) -> object:
    return await call.handle.storage.personas.get(call.arguments.text("id"))


async def personas_list(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.personas.list(
        limit=given.integer("limit", 200), cursor=given.text_or_none("cursor")
    )


async def personas_delete(call: Call) -> object:
    return await call.handle.storage.personas.delete(call.arguments.text("id"))


async def telemetry_record(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.telemetry.record(
        given.text_or_none("sessionId"),
        given.text("eventType"),
        given.object("eventData"),
        timestamp=given.integer_or_none("timestamp"),
    )


async def telemetry_list(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.telemetry.list(
        given.text_or_none("sessionId"),
        given.text_or_none("eventType"),
        given.integer_or_none("since"),
        limit=given.integer("limit", 100),
        cursor=given.text_or_none("cursor"),
    )


async def telemetry_summary(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.telemetry.summary(
        given.integer_or_none("since"), given.integer_or_none("until")
    )


async def workflows_save(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.workflows.save(
        given.text("id"), given.text("name"), given.object("definition")
    )


async def workflows_get(call: Call) -> object:
    return await call.handle.storage.workflows.get(call.arguments.text("id"))


async def workflows_list(call: Call) -> object:
    given = call.arguments
    return await call.handle.storage.workflows.list(
        limit=given.integer("limit", 200), cursor=given.text_or_none("cursor")
    )


async def workflows_delete(call: Call) -> object:
    return await call.handle.storage.workflows.delete(call.arguments.text("id"))

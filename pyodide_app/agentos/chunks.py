"""The chunks of a streamed answer, in the shapes of the original.

They cross to JavaScript and are stored as they are, so their keys are camelCase.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from pyodide_app.agentos.providers.model import Source, TokenCount, ToolCall
from pyodide_app.agentos.tools import ToolResult

__all__ = ["Chunk", "ChunkMaker", "usage_of"]

Chunk: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChunkMaker:
    """Makes the chunks of one stream."""

    stream_id: str
    gmi_instance_id: str
    persona_id: str

    def text_delta(self, at: int, text: str) -> Chunk:
        """Return more of the answer."""
        return self._chunk("text_delta", at, {"textDelta": text})

    def system_progress(self, at: int, message: str, status_code: str) -> Chunk:
        """Return what is going on, for people."""
        return self._chunk(
            "system_progress", at, {"message": message, "statusCode": status_code}
        )

    def tool_call_request(self, at: int, calls: Sequence[ToolCall]) -> Chunk:
        """Return which tools are being called."""
        return self._chunk(
            "tool_call_request",
            at,
            {
                "toolCalls": [
                    {"id": call.id, "name": call.name, "arguments": call.arguments}
                    for call in calls
                ],
                "executionMode": "internal",
                "requiresExternalToolResult": False,
            },
        )

    def tool_result_emission(
        self, at: int, call: ToolCall, result: ToolResult
    ) -> Chunk:
        """Return what came of a call."""
        fields: Chunk = {
            "toolCallId": call.id,
            "toolName": call.name,
            "toolResult": result.value,
            "isSuccess": result.error_message is None,
        }
        if result.error_message is not None:
            fields["errorMessage"] = result.error_message
        return self._chunk("tool_result_emission", at, fields)

    def final_response(
        self,
        at: int,
        text: str,
        *,
        usage: Mapping[str, Any],
        sources: Sequence[Source],
        metadata: Mapping[str, Any],
    ) -> Chunk:
        """Return the whole answer; the last chunk."""
        fields: Chunk = {"finalResponseText": text, "usage": dict(usage)}
        if sources:
            fields["ragSources"] = [
                {
                    "conversationId": source.conversation_id,
                    "eventId": source.event_id,
                    "title": source.title,
                    "snippet": source.snippet,
                    "timestamp": source.timestamp,
                }
                for source in sources
            ]
        fields["metadata"] = dict(metadata)
        return self._chunk("final_response", at, fields, is_final=True)

    def error(
        self,
        at: int,
        code: str,
        message: str,
        *,
        details: Mapping[str, Any],
        partial_text: str,
        metadata: Mapping[str, Any],
    ) -> Chunk:
        """Return why there is no whole answer, and what there is; the last chunk."""
        return self._chunk(
            "error",
            at,
            {
                "code": code,
                "message": message,
                "details": dict(details),
                "partialText": partial_text,
                "metadata": dict(metadata),
            },
            is_final=True,
        )

    def metadata_update(self, at: int, updates: Mapping[str, Any]) -> Chunk:
        """Return what the conversation is called now."""
        return self._chunk("metadata_update", at, {"updates": dict(updates)})

    def _chunk(
        self, kind: str, at: int, fields: Mapping[str, Any], *, is_final: bool = False
    ) -> Chunk:
        instant = datetime.fromtimestamp(at / 1000, tz=UTC)
        return {
            "type": kind,
            "streamId": self.stream_id,
            "gmiInstanceId": self.gmi_instance_id,
            "personaId": self.persona_id,
            "isFinal": is_final,
            "timestamp": instant.isoformat(timespec="milliseconds").replace(
                "+00:00", "Z"
            ),
            **fields,
        }


def usage_of(tokens: TokenCount, cost_usd: float | None) -> dict[str, Any]:
    """Return *tokens* in the shape of the original.

    A cost that is not known is left out, and so is the mark of an estimate where
    the provider counted.
    """
    usage: dict[str, Any] = {
        "promptTokens": tokens.prompt,
        "completionTokens": tokens.completion,
        "totalTokens": tokens.prompt + tokens.completion,
    }
    if cost_usd is not None:
        usage["totalCostUSD"] = cost_usd
    if tokens.is_estimated:
        usage["isEstimated"] = True
    return usage

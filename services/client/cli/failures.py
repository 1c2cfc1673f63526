"""What to say about an error: one clear message where somebody can do something about it."""

from typing import Any

from privysharing.sdk.errors import CommitUnknown, ContractRefused, SdkError

_OUR_PACKAGES = ("services.", "privysharing.", "deploy.")


def message_of(error: Exception) -> str:
    """An error in words. What is not one of ours, and not the machine's, is a defect and says so."""
    if isinstance(error, ContractRefused):
        return error.refusal.message
    if isinstance(error, OSError) and error.strerror:
        if isinstance(error, PermissionError) and error.filename is not None:
            return f"permission denied: {error.filename}"
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    if type(error).__module__.startswith(_OUR_PACKAGES):
        return str(error)
    return f"internal error: {type(error).__name__}: {error} (PRIVY_DEBUG=1 shows where)"


def details_of(error: Exception) -> dict[str, Any]:
    """What more a program can use."""
    if isinstance(error, ContractRefused):
        refusal = error.refusal
        return {"code": refusal.code, "needed": refusal.needed, "found": refusal.found, "retry": refusal.retry}
    if isinstance(error, CommitUnknown):
        return {"tx_id": error.tx_id, "retry": error.retryable}
    return {"retry": error.retryable} if isinstance(error, SdkError) else {}

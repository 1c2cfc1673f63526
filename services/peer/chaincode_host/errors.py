"""Why a contract was not run, or not to its end."""


class ChaincodeError(Exception):
    """An invocation that came to no response. The text goes to the caller: it names limits and keys, never values."""


class LimitExceeded(ChaincodeError):
    """A contract wanted more than one transaction may have."""


class InvocationRefused(ChaincodeError):
    """The peer did not run the contract, or not to its end (ChaincodeSupport.Invoke's error)."""


class ContractFailed(ChaincodeError):
    """The contract ended without a response (a shim's ERROR message)."""


class ExecutionStopped(BaseException):
    """Thrown into a contract that does not end, or that takes the peer's memory.

    Not an `Exception`, so that a contract's own `except Exception` does not swallow it.
    """

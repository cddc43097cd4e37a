"""Every adapter keeps the contract of `StorageAdapter`."""

from tests.contract.adapter_contract import *  # noqa: F403  # the cases

"""The descriptor pool that holds every generated message."""

from typing import Final

from google.protobuf import descriptor_pool

POOL: Final = descriptor_pool.DescriptorPool()

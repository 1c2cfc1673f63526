"""The base-128 number of protobuf, for where bytes are framed without a message around them."""


def encode_varint(number: int) -> bytes:
    """A non-negative number, seven bits a byte, the lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)

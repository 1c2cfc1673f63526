"""Why validation gives no verdict at all."""


class ChannelHalted(Exception):
    """No verdict may be given on this block: to guess one would fork the channel. The peer stops following it."""

"""Real files and a real LevelDB, copied while stores work on them, harmed as a power cut harms them, and opened again.

`python -m tests.powerloss --cuts N --seed S`. A store runs on a `recording.RecordedDisk`, which copies everything
before each sync and after each acknowledgement, with what was durable at that moment. `cuts` says what a power cut may
make of such a copy: files cut at any byte behind what was synced, sectors or whole tails of zeros, names that were not
synced undone, and anything at all done to files of LevelDB, whose syncs nobody sees. `stores` runs the stores and
judges what comes back: nothing acknowledged is lost, and all that follows from it is what it was.
Does not: play the disk. What no real file can be made to do (`MemoryDisk` can) is tested where the stores are.
"""

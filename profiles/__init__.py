"""The library of device profiles. Here only so that an editable install finds it as `verifier.profiles`."""

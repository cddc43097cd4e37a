"""The steps of build.py; standard library only, for they run before any set-up."""

"""The command line ``mlip-core``: a trained model put to use, a file at a time."""

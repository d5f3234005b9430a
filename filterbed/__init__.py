"""Ask and judge: sandbox, runner, probes, proof, audit, score, command line."""

__version__ = "0.1.0"

"""What runs on a device: mel front end, samplers, artifacts, back ends. numpy only, never torch."""

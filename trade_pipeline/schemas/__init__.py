"""Where the stages meet: frames with their pandera models, and the values that trading passes around."""

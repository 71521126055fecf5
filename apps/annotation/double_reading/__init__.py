"""Two people outline the same CT blind to each other: who, what either may see, how well they agree, what counts."""

"""`python -m cinecortex.cli`, and `accelerate launch -m cinecortex.cli`."""

from cinecortex.cli import main

if __name__ == "__main__":
    main()

"""The float reference: Forward-Forward networks in torch, trained layer by layer. Start at recipes.py."""

"""Long simulations with trained models: is the energy kept, is nothing compiled on the way?"""

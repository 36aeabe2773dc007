"""Whether two back ends, or a recording and golden vectors, agree in every state at every step."""

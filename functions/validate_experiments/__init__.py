"""AppConfig's validator: definitions of experiments that can't be read are never deployed."""

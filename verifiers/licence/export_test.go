package licence

// Exceptions lets tests hold the pilot table against the published list.
var Exceptions = usccExceptions[:]

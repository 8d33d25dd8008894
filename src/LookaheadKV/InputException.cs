namespace LookaheadKV;

/// <summary>
/// Something the caller gave us cannot be used: a file, an option, a budget, a weight. The message is one line that names the value,
/// what is allowed, and what to do; the command prints it without a stack trace.
/// </summary>
public sealed class InputException : Exception
{
    /// <summary>Creates the error with its one-line message.</summary>
    public InputException(string message)
        : base(message) { }

    /// <summary>Creates the error with its one-line message and what caused it.</summary>
    public InputException(string message, Exception inner)
        : base(message, inner) { }
}

namespace LookaheadKV.Cli.Common;

/// <summary>Options that do not go together, found while a verb runs: the caller's command line is wrong, not a file.</summary>
internal sealed class UsageException(string message) : Exception(message);

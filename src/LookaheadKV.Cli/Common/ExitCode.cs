namespace LookaheadKV.Cli.Common;

/// <summary>What the command tells its caller.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int Usage = 2;

    /// <summary>A result was refused by a sanity gate.</summary>
    public const int Refused = 3;

    /// <summary>It was cancelled, by Ctrl-C or SIGTERM: what shells give for the former.</summary>
    public const int Cancelled = 130;
}

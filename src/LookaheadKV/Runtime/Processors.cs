using System.Globalization;

namespace LookaheadKV.Runtime;

/// <summary>What a host says of its processors, and what that means for a program that computes on them.</summary>
/// <param name="Allowed">Processors that this process may run on (its affinity), 1 or more.</param>
/// <param name="Limit">Processors' worth of time that its control group grants it; null: no limit.</param>
/// <param name="Online">Processors of the host, 1 or more.</param>
/// <param name="Load">Threads of all programs that ran or waited for a processor, mean of the last minute.</param>
public sealed record Processors(int Allowed, double? Limit, int Online, double Load)
{
    /// <summary>Processors that this process may run on (its affinity), 1 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Allowed
    {
        get;
        init => field = value.AtLeast(1, "processors:", "there is one at least");
    } = Allowed.AtLeast(1, "processors:", "there is one at least");

    /// <summary>Processors' worth of time that its control group grants it, above 0; null: no limit.</summary>
    /// <exception cref="InputException">It is not.</exception>
    public double? Limit
    {
        get;
        init => field = value.AboveZero("limit of processor time", "leave it out for none");
    } = Limit.AboveZero("limit of processor time", "leave it out for none");

    /// <summary>Processors of the host, 1 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public int Online
    {
        get;
        init => field = value.AtLeast(1, "processors:", "there is one at least");
    } = Online.AtLeast(1, "processors:", "there is one at least");

    /// <summary>Threads of all programs that ran or waited for a processor, 0 or more.</summary>
    /// <exception cref="InputException">It is less.</exception>
    public double Load
    {
        get;
        init => field = value.AtLeast(0, "load:", "an idle host has 0");
    } = Load.AtLeast(0, "load:", "an idle host has 0");

    /// <summary>
    /// Threads that each find a processor: as many as the process may use, whole, and as the host has idle. One thread too many costs more than a thread
    /// too few, because after each of some hundred operators a prompt all wait for the one that has no processor.
    /// </summary>
    public int Sensible
    {
        get
        {
            var own = Math.Max(1, Limit is { } limit ? (int)Math.Min(Allowed, Math.Floor(limit)) : Allowed);
            var idle = Math.Round(Online - Load, MidpointRounding.AwayFromZero);
            return (int)Math.Clamp(idle, 1, own);
        }
    }

    /// <summary>This host's numbers, as Linux tells them; elsewhere all processors without a limit or load.</summary>
    /// <param name="root">Folder in which /proc and /sys are looked for.</param>
    public static Processors OfHost(string root = "/")
    {
        // Affinity, and a limit rounded up, are in .NET's own count.
        var allowed = Environment.ProcessorCount;
        var online = Math.Max(allowed, Count(Text("sys/devices/system/cpu/online")) ?? allowed);
        var load = Number(Text("proc/loadavg")?.Split(' ')[0]) ?? 0;
        return new(allowed, Limit(), online, load);

        double? Limit()
        {
            // One file from version 2 on ("200000 100000", or "max 100000"), two before.
            double?[] limits =
            [
                Text("sys/fs/cgroup/cpu.max")?.Split(' ') is [var most, var period] ? Number(most) / Number(period) : null,
                Number(Text("sys/fs/cgroup/cpu/cpu.cfs_quota_us")) / Number(Text("sys/fs/cgroup/cpu/cpu.cfs_period_us")),
            ];
            return limits.Where(limit => limit > 0).Min();
        }

        string? Text(string path)
        {
            try
            {
                return File.ReadAllText(Path.Combine(root, path)).Trim();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
    }

    // "0-3,8": single processors and ranges.
    private static int? Count(string? list) =>
        list?.Split(',').Select(part => part.Split('-').Select(end => (int?)Number(end)).ToArray()).Sum(ends => ends[^1] - ends[0] + 1);

    private static double? Number(string? text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;
}

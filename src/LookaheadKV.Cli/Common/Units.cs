using System.Globalization;

namespace LookaheadKV.Cli.Common;

/// <summary>Numbers for people.</summary>
internal static class Units
{
    public static string Bytes(long bytes) =>
        bytes >= 1 << 30 ? Format($"{bytes / (double)(1 << 30):0.00} GiB")
        : bytes >= 1 << 20 ? Format($"{bytes / (double)(1 << 20):0.00} MiB")
        : Format($"{bytes / 1024.0:0.0} KiB");

    public static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

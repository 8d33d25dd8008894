namespace LookaheadKV.Tests.Jinja;

/// <summary>A clock that stands still.</summary>
internal sealed class StoppedClock(DateTime now) : TimeProvider
{
    /// <summary>The time at which the golden files were made.</summary>
    public static StoppedClock Golden { get; } = new(new DateTime(2025, 3, 7, 9, 5, 8, DateTimeKind.Utc));

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow() => new(now);
}

using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Runtime;

/// <summary>
/// Wall-clock time of work on a device, all of it done. A GPU works on behind the host, so this clock waits for it when it starts and when it is read; every
/// time that is reported of a model's work comes from here.
/// </summary>
public sealed class DeviceClock
{
    private readonly Device _device;
    private readonly long _start;

    private DeviceClock(Device device)
    {
        Wait(device);
        (_device, _start) = (device, Stopwatch.GetTimestamp());
    }

    /// <summary>Time since the start, behind everything that was launched until now.</summary>
    public TimeSpan Elapsed
    {
        get
        {
            Wait(_device);
            return Stopwatch.GetElapsedTime(_start);
        }
    }

    /// <summary>A clock that runs from now on, behind everything that was launched before.</summary>
    public static DeviceClock Start(Device device) => new(device);

    /// <summary>Runs work and tells how long it took.</summary>
    public static (T Value, TimeSpan Elapsed) Time<T>(Device device, Func<T> work)
    {
        var clock = Start(device);
        var value = work();
        return (value, clock.Elapsed);
    }

    /// <summary>Seconds that work took.</summary>
    internal static double Seconds(Device device, Action work)
    {
        var clock = Start(device);
        work();
        return clock.Elapsed.TotalSeconds;
    }

    private static void Wait(Device device)
    {
        if (device.type == DeviceType.CUDA)
            cuda.synchronize();
    }
}

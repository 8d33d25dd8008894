using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Runtime;

/// <summary>
/// A second CUDA stream beside a thread's own: what evicts a layer, many small kernels, runs there while the layer's large products go on. The side sees
/// what was launched before it was entered; nothing that the side reads may be freed, and nothing that it writes be read, before <see cref="Join"/>.
/// </summary>
internal sealed class SideStream : IDisposable
{
    private readonly CudaStream _own;
    private readonly CudaStream _side;
    private readonly CudaEvent _before;
    private readonly CudaEvent _after;
    private bool _ahead;

    private SideStream(int device)
    {
        _own = CudaStream.Current(device);
        _side = CudaStream.Of(device, highPriority: true); // small kernels go first, wherever a multiprocessor is free
        (_before, _after) = (new CudaEvent(device), new CudaEvent(device));
    }

    /// <summary>The side of this thread's current stream; null where there is none (no GPU, or a libtorch whose streams cannot be called): all work then runs in order.</summary>
    public static SideStream? Of(Device device) =>
        device.type == DeviceType.CUDA && CudaStream.IsBound ? new SideStream(Math.Max(device.index, 0)) : null;

    /// <summary>Sends this thread's operators to the side, behind all that was launched so far, until the result is disposed.</summary>
    public IDisposable Enter()
    {
        _before.Record(_own);
        _before.HoldBack(_side);
        _side.MakeCurrent();
        return new Visit(this);
    }

    /// <summary>Lets all that is launched from here on wait for the side.</summary>
    public void Join()
    {
        if (!_ahead)
            return;
        _after.HoldBack(_own);
        _ahead = false;
    }

    /// <summary>Joins, and forgets the side.</summary>
    public void Dispose()
    {
        Join();
        _before.Dispose();
        _after.Dispose();
    }

    private void Leave()
    {
        _after.Record(_side);
        _own.MakeCurrent();
        _ahead = true;
    }

    private sealed class Visit(SideStream side) : IDisposable
    {
        public void Dispose() => side.Leave();
    }
}

namespace LookaheadKV.Runtime;

/// <summary>A point in a CUDA stream that other streams can wait for, on the device: the host goes on.</summary>
internal sealed unsafe class CudaEvent : IDisposable
{
    private const uint WithoutTiming = 2;

    private static readonly Lazy<Functions> Driver = new(() => new Functions());

    private readonly int _device;
    private nint _event;

    public CudaEvent(int device)
    {
        _device = device;
        nint made = 0;
        CudaDriver.InContext(device, () => CudaDriver.Check("cuEventCreate", Driver.Value.Create(out made, WithoutTiming)));
        _event = made;
    }

    /// <summary>Sets the point behind all that was launched on a stream so far.</summary>
    public void Record(CudaStream stream) =>
        CudaDriver.InContext(_device, () => CudaDriver.Check("cuEventRecord", Driver.Value.Record(_event, stream.Handle)));

    /// <summary>Lets all that is launched on a stream from here on wait for the point.</summary>
    public void HoldBack(CudaStream stream) =>
        CudaDriver.InContext(_device, () => CudaDriver.Check("cuStreamWaitEvent", Driver.Value.Wait(stream.Handle, _event)));

    /// <summary>Forgets the point; those that wait for it still do.</summary>
    public void Dispose()
    {
        if (_event != 0)
            CudaDriver.InContext(_device, () => CudaDriver.Check("cuEventDestroy", Driver.Value.Destroy(_event)));
        _event = 0;
    }

    private sealed class Functions
    {
        private readonly nint _create = CudaDriver.Export("cuEventCreate");
        private readonly nint _record = CudaDriver.Export("cuEventRecord");
        private readonly nint _wait = CudaDriver.Export("cuStreamWaitEvent");
        private readonly nint _destroy = CudaDriver.Export("cuEventDestroy_v2");

        public int Create(out nint made, uint flags)
        {
            nint result;
            var code = ((delegate* unmanaged<nint*, uint, int>)_create)(&result, flags);
            made = result;
            return code;
        }

        public int Record(nint point, nint stream) => ((delegate* unmanaged<nint, nint, int>)_record)(point, stream);

        public int Wait(nint stream, nint point) => ((delegate* unmanaged<nint, nint, uint, int>)_wait)(stream, point, 0);

        public int Destroy(nint point) => ((delegate* unmanaged<nint, int>)_destroy)(point);
    }
}

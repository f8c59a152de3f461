package holdfast.node.replication;

import holdfast.net.Connection;
import holdfast.wire.Frame;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;

/** What comes back on a stream that this side opened. */
record Opened(Meeting meeting, Connection connection)
    implements ClientResponseObserver<Frame, Frame> {
  @Override
  public void beforeStart(ClientCallStreamObserver<Frame> out) {
    // The meeting asks for each frame when it has room for it.
    out.disableAutoRequestWithInitial(0);
  }

  @Override
  public void onNext(Frame frame) {
    meeting.frame(frame);
  }

  @Override
  public void onError(Throwable failure) {
    meeting.streamEnded();
    meeting.lost(String.valueOf(connection.explain(failure).getMessage()));
  }

  @Override
  public void onCompleted() {
    meeting.streamEnded();
    meeting.leaves("the peer ended the round");
  }
}

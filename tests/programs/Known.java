/** A JVM whose heap is known: 4321 objects of this class. `javac --release 8 Known.java` made Known.class of it. */
public class Known {
    static Known[] all = new Known[4321];

    public static void main(String[] words) throws Exception {
        for (int i = 0; i < all.length; i++) all[i] = new Known();
        System.out.println("ready");
        Thread.sleep(1000000);
    }
}
